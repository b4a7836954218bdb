"""
C++ core of lopsar; use the names that the package lopsar offers.
"""
from __future__ import annotations
import collections.abc
import numpy
import numpy.typing
import typing
__all__: list[str] = ['Baselines', 'DatasetInfo', 'EdgeFlow', 'Error', 'FileError', 'Hdf5File', 'InvalidArgument', 'InvertOptions', 'InvertPlan', 'InvertProgress', 'InvertReport', 'Krylov', 'Network', 'NullSpace', 'Operator', 'ShapeError', 'Stack', 'Status', 'TimeAxis', 'TimeSeriesOptions', 'WeightFunction', 'active_isa', 'along_axis', 'bilinear', 'block_diag', 'causal_integration', 'cg', 'cgls', 'coherence_to_weight', 'cumulative_sum', 'date_baselines', 'datum', 'dem_error', 'diagonal', 'difference', 'directional_derivative', 'exponential', 'field_diagonal', 'field_identity', 'field_restriction', 'field_zero', 'first_derivative', 'flip', 'gradient', 'hstack', 'identity', 'interpolation', 'invert', 'invert_time_series', 'isa_levels', 'kronecker', 'laplacian', 'logarithm', 'lsqr', 'on_fields', 'pad', 'pattern', 'phase_variance', 'plan', 'polyline', 'polynomial', 'product', 'python_operator', 'restriction', 'roll', 'seasonal', 'second_derivative', 'smoothing', 'solve', 'step', 'sum', 'sum_axis', 'symmetrize', 'time_difference', 'transpose', 'version', 'vstack', 'weight_function', 'weighting', 'zero']
class Error(Exception):
    pass
class ShapeError(Error, ValueError):
    pass
class InvalidArgument(Error, ValueError):
    pass
class FileError(Error, OSError):
    pass
class Operator:
    """
    Any operator: a node of the algebra in C++.
    """
    def adjoint(self) -> Operator:
        ...
    def apply(self, x: typing.Any, adjoint: bool = False, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> typing.Any:
        ...
    @typing.overload
    def apply_into(self, x: numpy.typing.NDArray[numpy.float32], out: numpy.typing.NDArray[numpy.float32], adjoint: bool = False, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> None:
        ...
    @typing.overload
    def apply_into(self, x: numpy.typing.NDArray[numpy.float64], out: numpy.typing.NDArray[numpy.float64], adjoint: bool = False, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> None:
        ...
    @typing.overload
    def apply_into(self, x: numpy.typing.NDArray[numpy.complex64], out: numpy.typing.NDArray[numpy.complex64], adjoint: bool = False, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> None:
        ...
    @typing.overload
    def apply_into(self, x: numpy.typing.NDArray[numpy.complex128], out: numpy.typing.NDArray[numpy.complex128], adjoint: bool = False, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> None:
        ...
    def conjugate(self) -> Operator:
        ...
    def describe(self, latex: bool = False) -> str:
        ...
    def lower(self) -> dict:
        """
        The matrix of one pixel: triplets, products of field rows, and fields.
        """
    def over(self, grid: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex]) -> Operator:
        ...
    def power(self, exponent: typing.SupportsInt | typing.SupportsIndex) -> Operator:
        ...
    def scaled(self, factor: complex | typing.SupportsComplex | typing.SupportsFloat | typing.SupportsIndex) -> Operator:
        ...
    def transpose(self) -> Operator:
        ...
    @property
    def complex(self) -> bool:
        ...
    @property
    def dims(self) -> tuple:
        ...
    @property
    def dimsd(self) -> tuple:
        ...
    @property
    def name(self) -> str:
        ...
    @property
    def parameters(self) -> list[tuple[str, str]]:
        ...
    @property
    def pixels(self) -> int:
        ...
    @property
    def pixelwise(self) -> bool:
        ...
    @property
    def shape(self) -> tuple[int, int]:
        ...
class Network:
    def __init__(self, pairs: collections.abc.Sequence[tuple[str, str]], reference: str = '') -> None:
        ...
    @property
    def components(self) -> list[int]:
        ...
    @property
    def dates(self) -> list[str]:
        ...
    @property
    def days(self) -> list[float]:
        ...
    @property
    def operator(self) -> Operator:
        ...
    @property
    def pairs(self) -> list[tuple[int, int]]:
        ...
    @property
    def rank(self) -> int:
        ...
    @property
    def redundancy(self) -> list[int]:
        ...
    @property
    def reference(self) -> int:
        ...
class NullSpace:
    """
    Members:
    
      none
    
      minimum_norm_velocity
    
      minimum_norm_phase
    """
    __members__: typing.ClassVar[dict[str, NullSpace]]
    minimum_norm_phase: typing.ClassVar[NullSpace]
    minimum_norm_velocity: typing.ClassVar[NullSpace]
    none: typing.ClassVar[NullSpace]
    @typing.overload
    def __eq__(self, other: NullSpace) -> bool:
        ...
    @typing.overload
    def __eq__(self, other: typing.Any) -> bool:
        ...
    def __getstate__(self) -> int:
        ...
    def __hash__(self) -> int:
        ...
    def __index__(self) -> int:
        ...
    def __init__(self, value: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def __int__(self) -> int:
        ...
    @typing.overload
    def __ne__(self, other: NullSpace) -> bool:
        ...
    @typing.overload
    def __ne__(self, other: typing.Any) -> bool:
        ...
    def __repr__(self) -> str:
        ...
    def __setstate__(self, state: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def __str__(self) -> str:
        ...
    @property
    def name(self) -> str:
        ...
    @property
    def value(self) -> int:
        ...
class EdgeFlow:
    def __init__(self, arg0: Network, arg1: NullSpace) -> None:
        ...
    @property
    def max_degree(self) -> int:
        ...
    @property
    def order(self) -> list[int]:
        ...
    @property
    def pair_updates(self) -> int:
        ...
    @property
    def slots(self) -> int:
        ...
class TimeAxis:
    def __init__(self, dates: collections.abc.Sequence[str], reference: typing.SupportsInt | typing.SupportsIndex | None, convention: str) -> None:
        ...
    @property
    def dates(self) -> list[str]:
        ...
class Status:
    """
    Members:
    
      ok
    
      rank_deficient
    
      no_data
    
      below_redundancy
    
      masked
    
      not_finite
    
      not_converged
    
      breakdown
    """
    __members__: typing.ClassVar[dict[str, Status]]
    below_redundancy: typing.ClassVar[Status]
    breakdown: typing.ClassVar[Status]
    masked: typing.ClassVar[Status]
    no_data: typing.ClassVar[Status]
    not_converged: typing.ClassVar[Status]
    not_finite: typing.ClassVar[Status]
    ok: typing.ClassVar[Status]
    rank_deficient: typing.ClassVar[Status]
    @typing.overload
    def __eq__(self, other: Status) -> bool:
        ...
    @typing.overload
    def __eq__(self, other: typing.Any) -> bool:
        ...
    def __getstate__(self) -> int:
        ...
    def __hash__(self) -> int:
        ...
    def __index__(self) -> int:
        ...
    def __init__(self, value: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def __int__(self) -> int:
        ...
    @typing.overload
    def __ne__(self, other: Status) -> bool:
        ...
    @typing.overload
    def __ne__(self, other: typing.Any) -> bool:
        ...
    def __repr__(self) -> str:
        ...
    def __setstate__(self, state: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def __str__(self) -> str:
        ...
    @property
    def name(self) -> str:
        ...
    @property
    def value(self) -> int:
        ...
class Krylov:
    """
    CG, CGLS or LSQR on one problem.
    """
    def finalize(self) -> None:
        ...
    def run(self) -> int:
        """
        Until a rule stops it; the number of that rule.
        """
    def setup(self, y: numpy.ndarray, x0: numpy.ndarray | None = None) -> None:
        ...
    def step(self) -> None:
        ...
    def vector(self, name: str) -> typing.Any:
        ...
    @property
    def acond(self) -> float:
        ...
    @property
    def anorm(self) -> float:
        ...
    @property
    def arnorm(self) -> float:
        ...
    @property
    def cost(self) -> list[float]:
        ...
    @property
    def cost_damped(self) -> list[float]:
        ...
    @property
    def iteration(self) -> int:
        ...
    @property
    def iterations(self) -> int:
        ...
    @iterations.setter
    def iterations(self, arg1: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def r1norm(self) -> float:
        ...
    @property
    def r2norm(self) -> float:
        ...
    @property
    def stop(self) -> int:
        ...
    @property
    def x(self) -> numpy.ndarray:
        ...
    @property
    def xnorm(self) -> float:
        ...
class WeightFunction:
    """
    Members:
    
      variance
    
      fisher
    
      coherence
    
      none
    """
    __members__: typing.ClassVar[dict[str, WeightFunction]]
    coherence: typing.ClassVar[WeightFunction]
    fisher: typing.ClassVar[WeightFunction]
    none: typing.ClassVar[WeightFunction]
    variance: typing.ClassVar[WeightFunction]
    @typing.overload
    def __eq__(self, other: WeightFunction) -> bool:
        ...
    @typing.overload
    def __eq__(self, other: typing.Any) -> bool:
        ...
    def __getstate__(self) -> int:
        ...
    def __hash__(self) -> int:
        ...
    def __index__(self) -> int:
        ...
    def __init__(self, value: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def __int__(self) -> int:
        ...
    @typing.overload
    def __ne__(self, other: WeightFunction) -> bool:
        ...
    @typing.overload
    def __ne__(self, other: typing.Any) -> bool:
        ...
    def __repr__(self) -> str:
        ...
    def __setstate__(self, state: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def __str__(self) -> str:
        ...
    @property
    def name(self) -> str:
        ...
    @property
    def value(self) -> int:
        ...
class TimeSeriesOptions:
    null_space: NullSpace
    weight_function: WeightFunction
    zero_is_missing: bool
    def __init__(self) -> None:
        ...
    @property
    def chunk_size(self) -> int:
        ...
    @chunk_size.setter
    def chunk_size(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def looks(self) -> int:
        ...
    @looks.setter
    def looks(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def min_redundancy(self) -> float:
        ...
    @min_redundancy.setter
    def min_redundancy(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def reference_phase(self) -> list[float]:
        ...
    @reference_phase.setter
    def reference_phase(self, arg0: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]) -> None:
        ...
    @property
    def scale(self) -> float:
        ...
    @scale.setter
    def scale(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def threads(self) -> int:
        ...
    @threads.setter
    def threads(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
class DatasetInfo:
    """
    What a file says about a dataset.
    """
    def __repr__(self) -> str:
        ...
    @property
    def chunks(self) -> typing.Any:
        """
        tuple of int, or None where the dataset is not chunked.
        """
    @property
    def compression(self) -> typing.Any:
        """
        str ('gzip', 'lzf', 'filter N') or None.
        """
    @property
    def dtype(self) -> str:
        """
        str: NumPy's name of the type ('float32', 'bool', 'S8'), 'str' for variable length, or 'other'.
        """
    @property
    def name(self) -> str:
        """
        str: path in the file.
        """
    @property
    def shape(self) -> tuple:
        """
        tuple of int.
        """
    @property
    def shuffle(self) -> bool:
        """
        bool: bytes are shuffled before compression.
        """
class Hdf5File:
    """
    An open HDF5 file.
    
    Parameters
    ----------
    path : str or os.PathLike
        The file.
    mode : {"r", "w"}
        "r" reads an existing file without locking it, "w" makes a new one.
    
    Raises
    ------
    FileError
        If the file is missing, a directory, not HDF5, truncated or being written.
    """
    def __contains__(self, name: str) -> bool:
        ...
    def __enter__(self) -> typing.Any:
        ...
    def __exit__(self, *args) -> None:
        ...
    def __init__(self, path: typing.Any, mode: str = 'r') -> None:
        ...
    def attributes(self, dataset: str = '') -> dict[str, str]:
        """
        Attributes of the root or of a dataset, as text.
        
        Parameters
        ----------
        dataset : str
            A dataset or group; the root if empty.
        
        Returns
        -------
        dict of str to str
        """
    def close(self) -> None:
        """
        Close the file; later calls raise FileError.
        """
    def create_dataset(self, name: str, shape: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], dtype: typing.Any, chunks: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] | None = None, compression: str | None = None, shuffle: bool = False, unlimited: bool = False) -> None:
        """
        Create a dataset.
        
        Parameters
        ----------
        name : str
            Path in the file; missing groups are made.
        shape : sequence of int
        dtype : dtype-like
            Integer, float32, float64, bool or S<n>.
        chunks : sequence of int, optional
            Contiguous, or chosen where another option needs chunks, if None.
        compression : {None, "gzip", "lzf"}
        shuffle : bool
        unlimited : bool
            Let the first axis grow.
        """
    def datasets(self) -> list[str]:
        """
        Paths of all datasets, groups walked.
        
        Returns
        -------
        list of str
        """
    def info(self, name: str) -> DatasetInfo:
        """
        Shape, dtype and storage of a dataset.
        
        Returns
        -------
        DatasetInfo
        """
    def read(self, name: str, start: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] | None = None, count: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] | None = None) -> typing.Any:
        """
        Read a dataset, or the box [start, start + count) of it.
        
        Parameters
        ----------
        name : str
            The dataset.
        start, count : sequence of int, optional
            First index and number of elements along every axis.
        
        Returns
        -------
        numpy.ndarray
            In the file's type and native byte order; strings as bytes (dtype S).
        """
    def set_attribute(self, key: str, value: str, dataset: str = '') -> None:
        """
        Set a text attribute of the root or of a dataset, as h5py stores a str.
        
        Parameters
        ----------
        key, value : str
        dataset : str
            A dataset or group; the root if empty.
        """
    def write(self, name: str, array: typing.Any, start: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] | None = None) -> None:
        """
        Write a whole dataset, or the box of the array's shape at `start`.
        
        Parameters
        ----------
        name : str
        array : array-like
            Numbers are converted to the type of the dataset.
        start : sequence of int, optional
        """
    @property
    def path(self) -> str:
        """
        str: the path it was opened with.
        """
class Baselines:
    @property
    def date(self) -> list[float]:
        ...
    @property
    def max_misfit(self) -> float:
        ...
    @property
    def pair(self) -> list[float]:
        ...
    @property
    def rms_misfit(self) -> float:
        ...
class Stack:
    def __init__(self, path: typing.Any) -> None:
        ...
    def baselines(self) -> Baselines:
        ...
    @property
    def all_pairs(self) -> list[tuple[str, str]]:
        ...
    @property
    def attributes(self) -> dict[str, str]:
        ...
    @property
    def datasets(self) -> list[str]:
        ...
    @property
    def keep(self) -> list[bool]:
        ...
    @property
    def kept(self) -> list[int]:
        ...
    @property
    def length(self) -> int:
        ...
    @property
    def looks(self) -> int:
        ...
    @property
    def network(self) -> Network:
        ...
    @property
    def path(self) -> str:
        ...
    @property
    def phase_per_meter(self) -> float:
        ...
    @property
    def reference(self) -> tuple[int, int] | None:
        ...
    @property
    def wavelength(self) -> float:
        ...
    @property
    def width(self) -> int:
        ...
class InvertOptions:
    dataset: str
    mask_dataset: str
    minimum_norm_velocity: bool
    skip_reference: bool
    stack: str
    water_mask: str
    weight_function: WeightFunction
    def __init__(self) -> None:
        ...
    @property
    def attributes(self) -> dict[str, str]:
        ...
    @attributes.setter
    def attributes(self, arg0: collections.abc.Mapping[str, str]) -> None:
        ...
    @property
    def chunk_size(self) -> int:
        ...
    @chunk_size.setter
    def chunk_size(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def mask_threshold(self) -> float:
        ...
    @mask_threshold.setter
    def mask_threshold(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def min_redundancy(self) -> float:
        ...
    @min_redundancy.setter
    def min_redundancy(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def output(self) -> typing.Annotated[list[str], "FixedSize(3)"]:
        ...
    @output.setter
    def output(self, arg0: typing.Annotated[collections.abc.Sequence[str], "FixedSize(3)"]) -> None:
        ...
    @property
    def ram(self) -> float:
        ...
    @ram.setter
    def ram(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def threads(self) -> int:
        ...
    @threads.setter
    def threads(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
class InvertPlan:
    """
    What a run will do; sizes in bytes.
    """
    @property
    def all_pairs(self) -> int:
        ...
    @property
    def blocks(self) -> int:
        ...
    @property
    def blocks_in_flight(self) -> int:
        ...
    @property
    def bytes_to_read(self) -> int:
        ...
    @property
    def bytes_to_write(self) -> int:
        ...
    @property
    def codec(self) -> str:
        ...
    @property
    def components(self) -> int:
        ...
    @property
    def dates(self) -> int:
        ...
    @property
    def isa(self) -> str:
        ...
    @property
    def length(self) -> int:
        ...
    @property
    def memory_bytes(self) -> int:
        ...
    @property
    def pairs(self) -> int:
        ...
    @property
    def pixels(self) -> int:
        ...
    @property
    def predicted_seconds(self) -> float:
        ...
    @property
    def rows_per_block(self) -> int:
        ...
    @property
    def threads(self) -> int:
        ...
    @property
    def version(self) -> str:
        ...
    @property
    def width(self) -> int:
        ...
class InvertProgress:
    """
    How far a run is.
    """
    @property
    def blocks(self) -> int:
        ...
    @property
    def blocks_done(self) -> int:
        ...
    @property
    def bytes_read(self) -> int:
        ...
    @property
    def bytes_written(self) -> int:
        ...
    @property
    def pixels(self) -> int:
        ...
    @property
    def pixels_done(self) -> int:
        ...
    @property
    def seconds(self) -> float:
        ...
class InvertReport:
    """
    What became of a run: pixels by status, times (read, compute and write overlap), bytes, files.
    """
    @property
    def bytes_read(self) -> int:
        ...
    @property
    def bytes_written(self) -> int:
        ...
    @property
    def compute_seconds(self) -> float:
        ...
    @property
    def incoherent_pixels(self) -> int:
        ...
    @property
    def interrupted(self) -> bool:
        ...
    @property
    def output(self) -> typing.Annotated[list[str], "FixedSize(3)"]:
        ...
    @property
    def pixels_by_status(self) -> dict:
        ...
    @property
    def pixels_inverted(self) -> int:
        ...
    @property
    def plan(self) -> InvertPlan:
        ...
    @property
    def read_seconds(self) -> float:
        ...
    @property
    def resumed_blocks(self) -> int:
        ...
    @property
    def seconds(self) -> float:
        ...
    @property
    def warnings(self) -> list[str]:
        ...
    @property
    def water_pixels(self) -> int:
        ...
    @property
    def write_seconds(self) -> float:
        ...
def active_isa() -> str:
    """
    Level that kernels run on now: LOPSAR_ISA if set, else the highest.
    """
def along_axis(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: typing.SupportsInt | typing.SupportsIndex, arg2: typing.SupportsInt | typing.SupportsIndex, arg3: typing.Annotated[numpy.typing.ArrayLike, numpy.int64], arg4: typing.Annotated[numpy.typing.ArrayLike, numpy.int64], arg5: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], arg6: str) -> Operator:
    """
    A sparse matrix (n, dims[axis]) along an axis.
    """
def bilinear(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], arg2: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]) -> Operator:
    ...
def block_diag(arg0: collections.abc.Sequence[Operator]) -> Operator:
    ...
def causal_integration(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: typing.SupportsInt | typing.SupportsIndex, arg2: typing.SupportsFloat | typing.SupportsIndex, arg3: str, arg4: bool) -> Operator:
    ...
def cg(op: Operator, type: str, damp: typing.SupportsFloat | typing.SupportsIndex, tol: typing.SupportsFloat | typing.SupportsIndex, rtol: typing.SupportsFloat | typing.SupportsIndex, rtol1: typing.SupportsFloat | typing.SupportsIndex, preconditioner: Operator | None, threads: typing.SupportsInt | typing.SupportsIndex) -> Krylov:
    ...
def cgls(op: Operator, type: str, damp: typing.SupportsFloat | typing.SupportsIndex, tol: typing.SupportsFloat | typing.SupportsIndex, rtol: typing.SupportsFloat | typing.SupportsIndex, rtol1: typing.SupportsFloat | typing.SupportsIndex, preconditioner: Operator | None, threads: typing.SupportsInt | typing.SupportsIndex) -> Krylov:
    ...
def coherence_to_weight(coherence: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], function: WeightFunction, looks: typing.SupportsInt | typing.SupportsIndex) -> list[float]:
    ...
def cumulative_sum(axis: TimeAxis, rates: bool) -> Operator:
    ...
def date_baselines(network: Network, pair_baselines: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]) -> tuple[numpy.typing.NDArray[numpy.float64], tuple[float, float]]:
    ...
def datum(axis: TimeAxis, dates: collections.abc.Sequence[str], weights: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]) -> Operator:
    ...
def dem_error(axis: TimeAxis, date_baselines: numpy.ndarray, slant_range: typing.Any, incidence: typing.Any) -> Operator:
    ...
def diagonal(values: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]) -> Operator:
    ...
def difference(arg0: Operator, arg1: Operator) -> Operator:
    ...
def directional_derivative(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], arg2: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], arg3: str, arg4: bool) -> Operator:
    ...
def exponential(axis: TimeAxis, onset: str, characteristic_time: typing.SupportsFloat | typing.SupportsIndex) -> Operator:
    ...
def field_diagonal(arg0: numpy.ndarray, arg1: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg2: typing.SupportsInt | typing.SupportsIndex | None) -> Operator:
    """
    Values (1, n) float32 or float64, looked at, or complex, copied; on one axis, or on the whole field (None).
    """
def field_identity(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex]) -> Operator:
    ...
def field_restriction(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: typing.Annotated[numpy.typing.ArrayLike, numpy.int64], arg2: typing.SupportsInt | typing.SupportsIndex) -> Operator:
    ...
def field_zero(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex]) -> Operator:
    ...
def first_derivative(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: typing.SupportsInt | typing.SupportsIndex, arg2: typing.SupportsFloat | typing.SupportsIndex, arg3: str, arg4: bool, arg5: typing.SupportsInt | typing.SupportsIndex) -> Operator:
    ...
def flip(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: typing.SupportsInt | typing.SupportsIndex) -> Operator:
    ...
def gradient(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], arg2: str, arg3: bool) -> Operator:
    ...
def hstack(arg0: collections.abc.Sequence[Operator]) -> Operator:
    ...
def identity(rows: typing.SupportsInt | typing.SupportsIndex, columns: typing.SupportsInt | typing.SupportsIndex) -> Operator:
    ...
def interpolation(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], arg2: typing.SupportsInt | typing.SupportsIndex, arg3: str) -> Operator:
    ...
def invert(options: InvertOptions, monitor: collections.abc.Callable | None = None) -> InvertReport:
    ...
@typing.overload
def invert_time_series(network: Network, phase: numpy.typing.NDArray[numpy.float32], coherence: numpy.typing.NDArray[numpy.float32] | None, mask: numpy.typing.NDArray[numpy.uint8] | None, series: numpy.typing.NDArray[numpy.float32], temporal_coherence: numpy.typing.NDArray[numpy.float32] | None, num_ifgram: numpy.ndarray, status: numpy.typing.NDArray[numpy.uint8] | None, rank: numpy.typing.NDArray[numpy.int32] | None, options: TimeSeriesOptions) -> None:
    ...
@typing.overload
def invert_time_series(network: Network, phase: numpy.typing.NDArray[numpy.float64], coherence: numpy.typing.NDArray[numpy.float64] | None, mask: numpy.typing.NDArray[numpy.uint8] | None, series: numpy.typing.NDArray[numpy.float64], temporal_coherence: numpy.typing.NDArray[numpy.float64] | None, num_ifgram: numpy.ndarray, status: numpy.typing.NDArray[numpy.uint8] | None, rank: numpy.typing.NDArray[numpy.int32] | None, options: TimeSeriesOptions) -> None:
    ...
def isa_levels() -> list[str]:
    """
    Instruction-set levels of this machine, in rising order.
    """
def kronecker(arg0: Operator, arg1: Operator) -> Operator:
    ...
def laplacian(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg2: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], arg3: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], arg4: str, arg5: bool) -> Operator:
    ...
def logarithm(axis: TimeAxis, onset: str, characteristic_time: typing.SupportsFloat | typing.SupportsIndex) -> Operator:
    ...
def lsqr(op: Operator, type: str, damp: typing.SupportsFloat | typing.SupportsIndex, atol: typing.SupportsFloat | typing.SupportsIndex, btol: typing.SupportsFloat | typing.SupportsIndex, conlim: typing.SupportsFloat | typing.SupportsIndex, variances: bool, threads: typing.SupportsInt | typing.SupportsIndex) -> Krylov:
    ...
def on_fields(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg2: typing.Annotated[numpy.typing.ArrayLike, numpy.int64], arg3: typing.Annotated[numpy.typing.ArrayLike, numpy.int64], arg4: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], arg5: str) -> Operator:
    """
    A sparse matrix (product of dimsd, product of dims) on whole fields.
    """
def pad(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: collections.abc.Sequence[tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex]]) -> Operator:
    ...
def pattern(shape: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], row: typing.Annotated[numpy.typing.ArrayLike, numpy.int64], column: typing.Annotated[numpy.typing.ArrayLike, numpy.int64], coefficient: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], factor: typing.Annotated[numpy.typing.ArrayLike, numpy.int64], fields: numpy.ndarray | None, name: str) -> Operator:
    ...
def phase_variance(coherence: typing.SupportsFloat | typing.SupportsIndex, looks: typing.SupportsInt | typing.SupportsIndex) -> float:
    ...
def plan(options: InvertOptions) -> InvertPlan:
    ...
def polyline(axis: TimeAxis, breakpoints: collections.abc.Sequence[str]) -> Operator:
    ...
def polynomial(axis: TimeAxis, degree: typing.SupportsInt | typing.SupportsIndex) -> Operator:
    ...
def product(arg0: Operator, arg1: Operator) -> Operator:
    ...
def python_operator(object: typing.Any, dims: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], dimsd: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], complex: bool, name: str, clinear: bool) -> Operator:
    ...
def restriction(n: typing.SupportsInt | typing.SupportsIndex, indices: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex]) -> Operator:
    ...
def roll(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: typing.SupportsInt | typing.SupportsIndex, arg2: typing.SupportsInt | typing.SupportsIndex) -> Operator:
    ...
def seasonal(axis: TimeAxis, periods: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]) -> Operator:
    ...
def second_derivative(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: typing.SupportsInt | typing.SupportsIndex, arg2: typing.SupportsFloat | typing.SupportsIndex, arg3: str, arg4: bool) -> Operator:
    ...
def smoothing(arg0: typing.SupportsInt | typing.SupportsIndex, arg1: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg2: typing.SupportsInt | typing.SupportsIndex) -> Operator:
    ...
@typing.overload
def solve(network: Network, y: numpy.typing.NDArray[numpy.float32], weights: numpy.typing.NDArray[numpy.float32] | None, x: numpy.typing.NDArray[numpy.float32], status: numpy.typing.NDArray[numpy.uint8] | None, rank: numpy.typing.NDArray[numpy.int32] | None, valid: numpy.typing.NDArray[numpy.int32] | None, residual_norm: numpy.typing.NDArray[numpy.float32] | None, null_space: NullSpace, threads: typing.SupportsInt | typing.SupportsIndex, chunk_size: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
@typing.overload
def solve(network: Network, y: numpy.typing.NDArray[numpy.float64], weights: numpy.typing.NDArray[numpy.float64] | None, x: numpy.typing.NDArray[numpy.float64], status: numpy.typing.NDArray[numpy.uint8] | None, rank: numpy.typing.NDArray[numpy.int32] | None, valid: numpy.typing.NDArray[numpy.int32] | None, residual_norm: numpy.typing.NDArray[numpy.float64] | None, null_space: NullSpace, threads: typing.SupportsInt | typing.SupportsIndex, chunk_size: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def step(axis: TimeAxis, dates: collections.abc.Sequence[str]) -> Operator:
    ...
def sum(arg0: Operator, arg1: Operator) -> Operator:
    ...
def sum_axis(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: typing.SupportsInt | typing.SupportsIndex) -> Operator:
    ...
def symmetrize(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: typing.SupportsInt | typing.SupportsIndex) -> Operator:
    ...
def time_difference(axis: TimeAxis, order: typing.SupportsInt | typing.SupportsIndex) -> Operator:
    ...
def transpose(arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], arg1: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex]) -> Operator:
    ...
def version() -> str:
    """
    Version of lopsar.
    """
def vstack(arg0: collections.abc.Sequence[Operator]) -> Operator:
    ...
def weight_function(name: str) -> WeightFunction:
    ...
def weighting(weights: numpy.ndarray) -> Operator:
    ...
def zero(rows: typing.SupportsInt | typing.SupportsIndex, columns: typing.SupportsInt | typing.SupportsIndex) -> Operator:
    ...
